"""Run the emulator by `python -m airflow_provider_veo.emulator`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from airflow_provider_veo.emulator.dialects import DIALECTS


def main() -> int:
    """Run the emulator until it is interrupted, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m airflow_provider_veo.emulator",
        description="An offline stand-in for video APIs on this machine, free of charge.",
    )
    parser.add_argument(
        "--dialect",
        choices=DIALECTS,
        default="veo-gateway",
        help="server whose answers are given (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=8123, help="port on 127.0.0.1; 0 means any free port (default: %(default)s)"
    )
    parser.add_argument(
        "--api-key", default="sk-emulator", help="API key that clients must send (default: %(default)s)"
    )
    parser.add_argument(
        "--generation-seconds", type=float, default=20.0, help="time from the order to the video (default: %(default)s)"
    )
    parser.add_argument(
        "--content-lag",
        type=float,
        default=0.0,
        help="seconds from the status completed until the file can be downloaded (default: %(default)s)",
    )
    parser.add_argument(
        "--content-as-link",
        action="store_true",
        help="the file has a separate address, in the JSON answer to the download call (veo-gateway, litellm) or in "
        "the status (sglang)",
    )
    parser.add_argument(
        "--token-seconds",
        type=float,
        default=3600.0,
        help="seconds for which an access token is valid (vertex, gemini; default: %(default)s)",
    )
    parser.add_argument("--model", help="the only model of the server (vllm-omni, sglang, fastvideo)")
    parser.add_argument("--can-cancel", action="store_true", help="DELETE stops a job in every dialect")
    parser.add_argument(
        "--honours-idempotency-key",
        action="store_true",
        help="an order with a known idempotency key is answered with the job of the first",
    )
    parser.add_argument(
        "--fault-share",
        type=float,
        default=0.0,
        help="share of the answers that go wrong, 0 to 1 (default: %(default)s)",
    )
    parser.add_argument(
        "--fault-seed",
        type=int,
        default=0,
        help="number from which the random faults start; the same seed makes the same faults (default: %(default)s)",
    )
    options = parser.parse_args()
    try:
        from airflow_provider_veo.emulator.faults import Faults  # noqa: PLC0415 - it fails without the extra
        from airflow_provider_veo.emulator.jobs import Settings  # noqa: PLC0415
        from airflow_provider_veo.emulator.server import EmulatorServer  # noqa: PLC0415
    except ImportError as error:
        print(f"{error}. Install the extra: pip install 'airflow-provider-veo[emulator]'", file=sys.stderr)  # noqa: T201
        return 1
    settings = Settings(
        dialect=options.dialect,
        api_key=options.api_key,
        generation_seconds=options.generation_seconds,
        content_lag=options.content_lag,
        content_as_link=options.content_as_link,
        model=options.model,
        can_cancel=options.can_cancel,
        honours_idempotency_key=options.honours_idempotency_key,
        token_seconds=options.token_seconds,
    )
    faults = Faults(options.fault_share, options.fault_seed, seconds=1.0)
    stop = threading.Event()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signal_number, lambda *_: stop.set())
    try:
        emulator = EmulatorServer(settings, options.port, faults)
    except OSError as error:
        print(f"Port {options.port} cannot be used: {error}. Choose another one with --port.", file=sys.stderr)  # noqa: T201
        return 1
    with emulator as server:
        key = f"{server.url}/service-account.json" if settings.dialect == "vertex" else settings.api_key
        print(f"Veo emulator: {server.url}  (dialect {settings.dialect}, key {key}; Ctrl-C stops it)", flush=True)  # noqa: T201
        stop.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
