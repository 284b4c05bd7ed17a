"""Kernels wait for visitors, belong to one, and end when the visitor has left: with real ones, without a browser."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from traitlets import Any, Dict
from traitlets.config import LoggingConfigurable

from driftbook.dashboard.access import Door, Entry
from driftbook.dashboard.kernels import SmallKernels, VisitorKernels
from driftbook.dashboard.visitor import Visitor
from driftbook.errors import BusyError
from driftbook.serving.security import Key, digest_of

KEYS = {digest_of("dbk_ada"): Key("ada", frozenset({"operate"})), digest_of("dbk_bob"): Key("bob", frozenset({"read"}))}
ADA, BOB = Entry(Visitor("ada", "operator"), "1"), Entry(Visitor("bob", "viewer"), "2")
PATIENCE = 60


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


class Desk(LoggingConfigurable):
    """What kernels ask of the server they belong to."""

    door = Any()
    environment = Dict()

    async def render(self, kernel_id, kernel):
        return f"the page of {kernel_id}"


@pytest.fixture
def desk():
    keys, clock = dict(KEYS), Clock()
    desk = Desk(door=Door(lambda: dict(keys), host="0.0.0.0", clock=clock), environment={"IPYTHONDIR": "/nonexistent"})
    desk.clock, desk.keys = clock, keys
    return desk


@asynccontextmanager
async def kernels_of(desk, folder, **options):
    desk.environment = {"IPYTHONDIR": str(folder / "ipython")}
    (folder / "cards").mkdir()
    given = {"pool_size": 1, "fill_delay": 0.1, **options}
    kernels = VisitorKernels(
        parent=desk,
        connection_dir=str(folder),
        root_dir=str(folder),
        kernel_spec_manager=SmallKernels(),
        cards=str(folder / "cards"),
        **given,
    )
    try:
        yield kernels
    finally:
        await kernels.end_all()
        assert kernels.list_kernel_ids() == []


async def until(condition):
    for _ in range(PATIENCE * 20):
        if condition():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_a_heated_kernel_is_handed_out_with_its_card_and_the_pool_is_filled_again(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path) as kernels:
            kernels.fill()
            await until(lambda: len(kernels.list_kernel_ids()) == 1)
            [waiting] = kernels.list_kernel_ids()
            assert not kernels.belongs_to(waiting, ADA)
            heated = await kernels.take(ADA)
            assert (heated.kernel_id, heated.html) == (waiting, f"the page of {waiting}")
            card = tmp_path / "cards" / f"{waiting}.json"
            assert json.loads(card.read_text()) == {"name": "ada", "role": "operator"}
            assert kernels.belongs_to(waiting, ADA)
            assert not kernels.belongs_to(waiting, BOB)
            assert not kernels.belongs_to(waiting, None)
            await until(lambda: len(kernels.list_kernel_ids()) == 2)
            await kernels.end_login(ADA.login)
            assert not card.exists()
            assert waiting not in kernels.list_kernel_ids()
            assert not kernels.belongs_to(waiting, ADA)

    asyncio.run(story())


def test_who_comes_when_none_waits_gets_one_of_their_own_up_to_as_many_as_may(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0, most=2) as kernels:
            both = await asyncio.gather(kernels.take(ADA), kernels.take(BOB))
            assert len({heated.kernel_id for heated in both}) == 2
            for heated in both:
                kernels.notify_connect(heated.kernel_id)
            with pytest.raises(BusyError, match="2 pages are open"):
                await kernels.take(ADA)

    asyncio.run(story())


def test_who_opens_page_after_page_takes_nobody_elses_place(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0, most=4, most_each=2) as kernels:
            bobs = (await kernels.take(BOB)).kernel_id
            flood = [heated.kernel_id for heated in await asyncio.gather(*(kernels.take(ADA) for _ in range(2)))]
            third = (await kernels.take(ADA)).kernel_id
            assert set(kernels.list_kernel_ids()) == {bobs, flood[1], third}, "the first that no browser shows is gone"
            for kernel_id in (flood[1], third):
                kernels.notify_connect(kernel_id)
            with pytest.raises(BusyError, match="you have 2 pages open"):
                await kernels.take(ADA)
            await kernels.take(BOB)

    asyncio.run(story())


def test_a_kernel_ends_a_while_after_its_browser_left_and_one_that_waits_stays(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, grace_seconds=0.3, fill_delay=0.0) as kernels:
            taken = (await kernels.take(BOB)).kernel_id
            await until(lambda: len(kernels.list_kernel_ids()) == 2)
            kernels.notify_connect(taken)
            await look(kernels)
            await asyncio.sleep(0.4)
            await look(kernels)
            assert taken in kernels.list_kernel_ids()
            kernels.notify_disconnect(taken)
            await look(kernels)
            assert taken in kernels.list_kernel_ids()
            await asyncio.sleep(0.4)
            await look(kernels)
            assert taken not in kernels.list_kernel_ids()
            assert len(kernels.list_kernel_ids()) == 1

    asyncio.run(story())


async def look(kernels):
    for kernel_id in kernels.list_kernel_ids():
        await kernels.cull_kernel_if_idle(kernel_id)


def test_a_browser_that_is_slow_to_say_its_first_word_is_waited_for_longer(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0, grace_seconds=0.0, patience_seconds=0.3) as kernels:
            taken = (await kernels.take(BOB)).kernel_id
            await look(kernels)
            assert taken in kernels.list_kernel_ids()
            await asyncio.sleep(0.4)
            await look(kernels)
            assert kernels.list_kernel_ids() == []

    asyncio.run(story())


def test_a_revoked_key_ends_the_kernel_of_who_is_still_looking(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            taken = (await kernels.take(BOB)).kernel_id
            kernels.notify_connect(taken)
            desk.keys.pop(digest_of("dbk_bob"))
            desk.clock.now = 3.0
            await look(kernels)
            assert kernels.list_kernel_ids() == []

    asyncio.run(story())


def test_a_kernel_that_died_while_it_waited_is_handed_to_nobody(desk, tmp_path):
    async def story():
        async with kernels_of(desk, tmp_path, fill_delay=60.0) as kernels:
            kernels.fill()
            await until(lambda: len(kernels.list_kernel_ids()) == 1)
            [dead] = kernels.list_kernel_ids()
            kernel = kernels.get_kernel(dead)
            await kernel.provisioner.kill()
            while await kernel.is_alive():
                await asyncio.sleep(0.05)
            assert (await kernels.take(ADA)).kernel_id != dead

    asyncio.run(story())


def test_what_a_kernel_logs_is_in_the_server_s_log(desk, tmp_path, capfd):
    async def story():
        async with kernels_of(desk, tmp_path, pool_size=0) as kernels:
            kernel = kernels.get_kernel((await kernels.take(ADA)).kernel_id)
            client = kernel.client()
            client.start_channels()
            await client.wait_for_ready(timeout=PATIENCE)
            await client.execute_interactive("import logging; logging.getLogger('x').error('the well is dry')")
            client.stop_channels()

    asyncio.run(story())
    assert "ERROR the well is dry" in capfd.readouterr().err


def test_no_history_is_kept_and_no_kernel_of_elsewhere_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    (tmp_path / "kernels" / "other").mkdir(parents=True)
    (tmp_path / "kernels" / "other" / "kernel.json").write_text('{"argv": ["other"], "language": "x"}')
    specs = SmallKernels()
    assert list(specs.find_kernel_specs()) == ["python3"]
    assert "--HistoryManager.enabled=False" in specs.get_kernel_spec("other").argv
