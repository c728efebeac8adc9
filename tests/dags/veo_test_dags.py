"""Dags for the integration tests, one for each way to use the operators."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Asset, AssetAlias, task, task_group

from airflow_provider_veo.operators.create import VeoCreateVideoOperator
from airflow_provider_veo.operators.download import VeoDownloadOperator
from airflow_provider_veo.operators.media import VeoConcatOperator, VeoExtractFrameOperator
from airflow_provider_veo.sensors.video import VeoVideoSensor

with DAG("two_tasks", schedule=None, params={"prompt": "画小猫"}):
    video = VeoCreateVideoOperator(task_id="create", prompt="{{ params.prompt }}", model="veo-3.1", deferrable=True)
    VeoDownloadOperator(task_id="download", video_id=video.output, destination="{{ dag.dag_id }}/{video_id}.mp4")

for mode, deferrable in (("deferred", True), ("waiting", False)):
    with DAG(f"one_task_{mode}", schedule=None):
        VeoCreateVideoOperator(
            task_id="create", prompt="p", model="veo-3.1", destination="a.mp4", deferrable=deferrable, retries=3
        )

with DAG("mapped", schedule=None):
    videos = VeoCreateVideoOperator.partial(task_id="create", model="veo-3.1", deferrable=True).expand(
        prompt=["one", "two", "two"]
    )
    VeoDownloadOperator.partial(task_id="download", destination="{{ ti.map_index }}.mp4").expand(video_id=videos.output)

with DAG("asset_events", schedule=None):
    described = VeoCreateVideoOperator(
        task_id="create",
        prompt="画小猫",
        model="veo-3.1-fl",
        first_frame="{{ var.value.get('veo_frame') }}",
        deferrable=True,
        destination="{{ dag.dag_id }}/猫.mp4",
        sidecar=True,
        outlets=[Asset("veo_video"), AssetAlias("veo_files")],
    )
    VeoDownloadOperator(
        task_id="download",
        video_id=described.output,
        destination="{{ dag.dag_id }}/{{ ds }}.mp4",
        sidecar=True,
        outlets=[AssetAlias("veo_copies")],
    )

with DAG("stored_connection", schedule=None):
    VeoCreateVideoOperator(task_id="create", prompt="p", conn_id="veo_stored", deferrable=True)

with DAG("joined", schedule=None):
    scenes = VeoCreateVideoOperator.partial(task_id="create", model="veo-3.1", deferrable=True).expand_kwargs(
        [{"prompt": "one", "destination": "1.mp4"}, {"prompt": "two", "destination": "2.mp4"}]
    )
    joined = VeoConcatOperator(task_id="concat", sources=scenes.output, destination="{{ dag.dag_id }}/joined.mp4")
    VeoExtractFrameOperator(task_id="last_frame", source=joined.output, destination="{{ dag.dag_id }}/last.png")
    VeoExtractFrameOperator.partial(task_id="posters", at="{{ 3 + 1 }}").expand_kwargs(
        scenes.output.map(lambda scene: {"source": scene, "destination": scene["path"] + ".jpg"})
    )

for mode, deferrable in (("deferred", True), ("waiting", False)):
    with DAG(f"decorated_{mode}", schedule=None, params={"animal": "{{ 猫 }}"}):

        @task.veo_video(model="veo-3.1", destination="{{ dag.dag_id }}/one.mp4", deferrable=deferrable)
        def one(verb, params):
            return f"{params['animal']} {verb}"

        @task.veo_video(model="veo-3.1", deferrable=deferrable, sidecar=True)
        def many(number) -> dict:
            return {"prompt": f"scene {number}", "model": "veo-3.1-fast", "destination": f"decorated/{number}.mp4"}

        @task
        def length(video):
            return video["bytes"]

        length(one("naps"))
        many.expand(number=[1, 2])

    with DAG(f"one_place_{mode}", schedule=None):
        arguments = {"destination": "{{ ds }}/{{ dag.dag_id }}.mp4", "deferrable": deferrable}
        VeoCreateVideoOperator.partial(task_id="create", **arguments).expand(prompt=["one", "two"])

        @task.veo_video(**arguments)
        def say(number):
            return f"scene {number}"

        say.expand(number=[1, 2])
        VeoDownloadOperator.partial(task_id="download", destination="a.mp4").expand(video_id=["v", "w"])

    with DAG(f"one_place_in_group_{mode}", schedule=None):

        @task_group
        def each(name, arguments=arguments):
            VeoCreateVideoOperator(task_id="create", prompt=name, **arguments)

            @task.veo_video(**arguments)
            def say(prompt):
                return prompt

            say(name)
            VeoDownloadOperator(task_id="download", video_id=name, destination="{{ ti.run_id }}.mp4")
            VeoExtractFrameOperator(task_id="extract", source=name, destination="{{ task.task_id }}.png")
            VeoConcatOperator(task_id="concat", sources=[name], destination="video.mp4")

        each.expand(name=["v", "w"])
        VeoExtractFrameOperator.partial(task_id="extract", destination="a.png").expand(source=["v", "w"])
        VeoConcatOperator.partial(task_id="concat", destination="a.mp4").expand(sources=[["v"], ["w"]])

    with DAG(f"own_places_in_group_{mode}", schedule=None):

        @task_group
        def own(name, deferrable=deferrable):
            options = {"prompt": "p", "model": "veo-3.1", "deferrable": deferrable}
            made = VeoCreateVideoOperator(task_id="create", destination="{{ ti.map_index }}.mp4", **options)
            VeoCreateVideoOperator(task_id="named", destination=name, **options)
            VeoExtractFrameOperator(task_id="extract", source=made.output, destination="{{ ti.map_index }}.png")

        own.expand(name=["Episode #1.mp4", "Episode #2.mp4"])

    with DAG(f"sensor_{mode}", schedule=None, params={"video_id": ""}):
        found = VeoVideoSensor(
            task_id="wait", video_id="{{ params.video_id }}", deferrable=deferrable, poke_interval=0.1, timeout=60
        )
        VeoDownloadOperator(task_id="download", video_id=found.output, destination="sensed.mp4")
