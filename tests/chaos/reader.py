"""Reads the pinned keys behind the alias all the time, and counts when one was not there."""

import threading
import time

from pymilvus import MilvusClient
from pymilvus.exceptions import MilvusException

from tests.chaos.place import ALIAS, PINNED

PAUSE_S = 0.05
_KEYS = f"chunk_id in [{', '.join(repr(key) for key in PINNED)}]".replace("'", '"')


class Reader:
    """A client that looks in a thread while everything else breaks.

    Args:
        port: Of the store itself: a reader whose connection was cut would see nothing at all.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.looks = 0
        self.missing = 0
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._stop.is_set():
            try:
                client = MilvusClient(f"http://127.0.0.1:{self._port}", timeout=5)
                while not self._stop.is_set():
                    rows = client.query(ALIAS, _KEYS, output_fields=["chunk_id"], consistency_level="Strong", timeout=5)
                    self.looks += 1
                    self.missing += {row["chunk_id"] for row in rows} != set(PINNED)
                    time.sleep(PAUSE_S)
            except MilvusException:  # the store is down, or there is no alias yet
                time.sleep(PAUSE_S)
