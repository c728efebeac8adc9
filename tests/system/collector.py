"""A stand-in for an observability stack: a StatsD server, and an OTLP collector that keeps spans."""

from __future__ import annotations

import gzip
import socket
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Collector:
    """A collector on loopback: `with Collector() as collector: ... collector.settings ...`.

    Attributes:
        counters: Sums of the counters, by name.
        timers: Number of values that were sent for each timer, by name.
        spans: All spans, as OTLP objects.
    """

    def __init__(self) -> None:
        self.counters = Counter()
        self.timers = Counter()
        self.spans = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._udp.bind(("127.0.0.1", 0))
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                outer._take_spans(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._threads = [
            threading.Thread(target=self._http.serve_forever, args=(0.1,), daemon=True),
            threading.Thread(target=self._listen, daemon=True),
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._udp.sendto(b"", self._udp.getsockname())  # stops the thread that listens
        self._threads[1].join()
        self._udp.close()

    @property
    def settings(self) -> dict[str, str]:
        """Return the environment variables that make Airflow send its metrics and spans to this collector."""
        return {
            "AIRFLOW__METRICS__STATSD_ON": "True",
            "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
            "AIRFLOW__METRICS__STATSD_PORT": str(self._udp.getsockname()[1]),
            # Airflow has many metrics of its own, and UDP drops packets that a busy listener does not read at once
            "AIRFLOW__METRICS__METRICS_ALLOW_LIST": "^veo\\.",
            "AIRFLOW__TRACES__OTEL_ON": "True",
            "OTEL_TRACES_EXPORTER": "otlp_proto_http",  # the default is gRPC, regardless of other settings
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{self._http.server_port}/v1/traces",
        }

    def _listen(self) -> None:
        while packet := self._udp.recv(65536):
            for line in packet.decode().splitlines():
                name, _, rest = line.partition(":")
                value, kind = rest.split("|")[:2]
                if kind == "c":
                    self.counters[name.removeprefix("airflow.")] += float(value)
                elif kind == "ms":
                    self.timers[name.removeprefix("airflow.")] += 1

    def _take_spans(self, request: ExportTraceServiceRequest) -> None:
        self.spans += [
            span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
        ]
