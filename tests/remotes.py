"""Where results are pushed to: a shared folder, and an S3 server on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests
from moto.server import ThreadedMotoServer
from workflow import Project

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def s3_server(bucket: str) -> Iterator[str]:
    """The address of an S3 server, which forgets all at the end, with an empty bucket."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        address = f"http://{host}:{port}"
        requests.put(f"{address}/{bucket}", timeout=60).raise_for_status()
        yield address
    finally:
        server.stop()


def use_folder(project: Project, folder: str) -> None:
    """What docs/sharing.md says for a shared folder."""
    project.run("dvc", "remote", "add", "--local", "--default", "shared", folder)
