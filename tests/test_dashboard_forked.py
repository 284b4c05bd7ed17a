"""Kernels are forked from a nursery: each on its own, watched, and none left when the nursery or the server is gone."""

import asyncio
import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from test_dashboard_kernels import ADA, BOB, PATIENCE, desk, kernels_of, until
from workbench import make_workbench

from driftbook.dashboard.forked import Fork, Nursery, NurseryError
from driftbook.dashboard.nursery import other_threads

__all__ = ["desk"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")
BROKEN = {"PYTHONHOME": "/nonexistent"}  # no Python starts with it
ABOUT = """
import json, os, random, uuid
unlike = [os.environ["DASHBOARD_VISITOR_CARD"], random.random(), str(uuid.uuid4())]
unlike.append(get_ipython().kernel.session.session)
print(json.dumps([os.getppid(), os.getpgid(0), os.getcwd(), *unlike]))
"""


async def said(kernels, kernel_id, code):
    """What a kernel prints; an error in it is one here."""
    client = kernels.get_kernel(kernel_id).client()
    client.start_channels()
    await client.wait_for_ready(timeout=PATIENCE)
    printed = []
    told = await client.execute_interactive(
        code, output_hook=lambda said: printed.append(said["content"].get("text", ""))
    )
    client.stop_channels()
    assert told["content"]["status"] == "ok", told["content"].get("traceback")
    return "".join(printed)


def is_there(pid):
    return Path(f"/proc/{pid}").exists()


def test_each_kernel_is_a_child_of_the_nursery_with_a_life_of_its_own(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            found = []
            for visitor in (ADA, BOB):
                kernel_id = (await kernels.take(visitor)).kernel_id
                pid = kernels.get_kernel(kernel_id).provisioner.pid
                parent, group, folder, *unlike = json.loads(await said(kernels, kernel_id, ABOUT))
                assert (parent, group, folder) == (kernels.nursery.pid, pid, os.getcwd())
                found.append([pid, *unlike])
            assert all(one != other for one, other in zip(*found, strict=True))
            nursery = kernels.nursery.pid
        assert not is_there(nursery)

    asyncio.run(story())


def test_nothing_is_left_to_load_when_a_kernel_shows_the_dashboard(desk, tmp_path):
    (tmp_path / "bench").mkdir()
    settings = make_workbench(tmp_path / "bench")
    code = (
        "import sys; before = set(sys.modules)\n"
        "from pathlib import Path\nfrom driftbook.config import Settings\n"
        "from driftbook.dashboard.views import Monitor\n"
        f"monitor = Monitor(Settings(root=Path({str(settings.root)!r})))\ndisplay(monitor.box)\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )

    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            loaded = await said(kernels, (await kernels.take(ADA)).kernel_id, code)
            large = {"driftbook", "polars", "numpy", "sqlalchemy", "sqlite3", "ipywidgets", "IPython", "ipykernel"}
            assert set(loaded.split()) & large == set()

    asyncio.run(story())


def test_widgets_that_were_loaded_before_the_kernel_was_there_are_reached_by_a_browser(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            code = "print(*get_ipython().kernel.comm_manager.targets)"
            targets = await said(kernels, (await kernels.take(ADA)).kernel_id, code)
            assert {"jupyter.widget", "jupyter.widget.control"} <= set(targets.split())

    asyncio.run(story())


def test_a_kernel_that_dies_is_noticed_and_not_left_as_a_zombie(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            fork = kernels.get_kernel((await kernels.take(ADA)).kernel_id).provisioner.process
            assert isinstance(fork, Fork)
            assert fork.poll() is None
            os.kill(fork.pid, signal.SIGKILL)
            await until(lambda: fork.poll() is not None)
            await until(lambda: not is_there(fork.pid))
            fork.kill()  # means nobody any more

    asyncio.run(story())


def test_when_the_nursery_is_killed_its_kernels_end_and_the_next_visitor_gets_one(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            first = kernels.get_kernel((await kernels.take(ADA)).kernel_id).provisioner.process
            killed = kernels.nursery.pid
            os.kill(killed, signal.SIGKILL)
            second = kernels.get_kernel((await kernels.take(BOB)).kernel_id)
            assert await second.is_alive()
            assert isinstance(second.provisioner.process, Fork)
            assert kernels.nursery.pid != killed
            await until(lambda: first.poll() is not None)

    asyncio.run(story())


def test_without_a_nursery_a_kernel_is_started_from_nothing(desk, tmp_path):
    async def story():
        with pytest.raises(NurseryError, match="ended twice"):
            await Nursery(BROKEN).fork([], environment={}, folder=".")
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            kernels.nursery = Nursery(BROKEN)
            kernel_id = (await kernels.take(ADA)).kernel_id
            assert not isinstance(kernels.get_kernel(kernel_id).provisioner.process, Fork)
            assert await said(kernels, kernel_id, "print(6 * 7)") == "42\n"

    asyncio.run(story())


def test_a_process_with_another_thread_is_told_from_one_that_can_be_forked():
    before, ended = other_threads(), threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert len(other_threads()) == len(before) + 1
    finally:
        ended.set()
        thread.join()
