from __future__ import annotations

import asyncio
import itertools
import random

import pytest

from airflow_provider_veo.api.errors import NotSentError
from airflow_provider_veo.api.gate import Gate
from airflow_provider_veo.api.pace import Pace

LONG = 60.0


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_so_many_at_once_and_no_more_in_the_order_of_their_arrival():
    gate, inside, order = Gate(3), [], []
    doors = [asyncio.Event() for _ in range(10)]

    async def pass_through(number):
        await gate.enter(LONG)
        order.append(number)
        inside.append(number)
        await doors[number].wait()
        inside.remove(number)
        gate.leave()

    tasks = [asyncio.create_task(pass_through(number)) for number in range(10)]
    await settle()
    assert inside == [0, 1, 2]
    doors[1].set()
    await settle()
    assert inside == [0, 2, 3]
    for door in doors:
        door.set()
    await asyncio.gather(*tasks)
    assert order == list(range(10))


async def test_who_loses_patience_takes_no_place():
    gate = Gate(1)
    await gate.enter(LONG)
    with pytest.raises(NotSentError, match="the turn has not come"):
        await gate.enter(0.01)
    gate.leave()
    await asyncio.wait_for(gate.enter(LONG), 1)


async def test_a_pace_is_kept():
    gate = Gate(100)
    gate.pace = Pace(gap=0.02)
    loop = asyncio.get_running_loop()
    times = []
    for _ in range(4):
        await gate.enter(LONG)
        times.append(loop.time())
    assert all(later - earlier >= 0.019 for earlier, later in itertools.pairwise(times))


async def test_nobody_enters_in_a_pause():
    gate = Gate(100)
    end = asyncio.get_running_loop().time() + 0.1
    gate.pace = Pace(resume_at=end)
    await asyncio.gather(*(gate.enter(LONG) for _ in range(50)))
    assert asyncio.get_running_loop().time() >= end - 0.001


async def test_cancelled_ones_lose_no_place():
    """Whatever the order of cancellations and turns, all places are there in the end."""
    gate, chance = Gate(3), random.Random(1)

    async def pass_through():
        await gate.enter(LONG)
        try:
            await asyncio.sleep(0)
        finally:
            gate.leave()

    for _ in range(200):
        tasks = [asyncio.create_task(pass_through()) for _ in range(10)]
        for _ in range(chance.randrange(4)):
            await asyncio.sleep(0)
        for task in chance.sample(tasks, 5):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for _ in range(3):
        await asyncio.wait_for(gate.enter(LONG), 1)
    with pytest.raises(NotSentError):
        await gate.enter(0.0)


async def test_a_closed_gate_leaves_no_alarm_behind():
    gate = Gate(1)
    gate.pace = Pace(resume_at=asyncio.get_running_loop().time() + 1000)
    task = asyncio.create_task(gate.enter(LONG))
    await settle()
    alarm = gate._alarm
    task.cancel()
    gate.close()
    assert alarm.cancelled()
