"""What a host asks of the C library."""

import platform
import resource

import pytest

from tcpip.device import FrameDevice
from tcpip.host import Host
from tcpip.stack import Stack, StackConfig
from tests.fakes.frame_pair import MAC_A, random_bytes


class SilentDevice:
    """Just enough of a device for a host that never turns."""

    def close(self) -> None: ...


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc returns its heap so eagerly")
def test_memory_of_what_arrived_is_used_again_without_page_faults():
    device: FrameDevice = SilentDevice()  # type: ignore[assignment]
    Host(Stack(StackConfig(), MAC_A, 1500, 0, random_bytes(1)), device)
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            turn = [bytearray(b"x") * 65_160 for _ in range(30)]
            del turn
    assert resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before < 1000, "of 10 000 pages touched"
