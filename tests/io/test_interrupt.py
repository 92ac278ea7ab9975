from __future__ import annotations

import os
import signal
import threading

import pytest

from mien.io.interrupt import SIGNALS, asked_to_stop


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def handlers_stay():
    before = [signal.getsignal(number) for number in SIGNALS]
    yield
    assert [signal.getsignal(number) for number in SIGNALS] == before


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
def test_the_first_signal_asks_and_the_second_stops(first, second):
    with pytest.raises(KeyboardInterrupt), asked_to_stop() as asked:
        assert not asked()
        send(first)
        assert asked()
        send(second)
        pytest.fail("the second signal has not stopped the block")


def test_signals_are_taken_back_from_a_library_that_took_them():
    with asked_to_stop() as asked:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        send(signal.SIGTERM)
        assert not asked()
        asked.listen()
        send(signal.SIGTERM)
        assert asked()


def test_blocks_can_be_nested():
    with asked_to_stop() as outer:
        with asked_to_stop() as inner:
            send(signal.SIGINT)
            assert (inner(), outer()) == (True, False)
        send(signal.SIGINT)
        assert outer()


def test_outside_the_main_thread_nothing_is_changed():
    before = [signal.getsignal(number) for number in SIGNALS]
    found = []

    def work() -> None:
        with asked_to_stop() as asked:
            asked.listen()
            found.append((asked(), [signal.getsignal(number) for number in SIGNALS]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(False, before)]
