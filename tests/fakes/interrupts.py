"""A device that works in its own time, and whose interrupts are late, merged, lost or made up.

`SlowDevice` puts itself between the driver and the software device: a kick
is only noted, the device has its turn when the test's clock says so.
`run_until` is the owner's loop in small: it waits for interrupts or the
driver's deadline, whichever is first, and jumps there.
"""

from virtio.transport.inprocess import InProcessTransport


class SlowDevice(InProcessTransport):
    """Interrupt modes: prompt, delayed, merged, lost, spurious."""

    def __init__(self, device, mode="prompt", latency=0.001):
        super().__init__(device)
        self.mode = mode
        self.latency = latency
        self.kicked = []
        self.work_at = None
        self.interrupt_at = None
        self.signals = 0
        self._signalled = 0
        self.now = 0.0

    def notify(self, queue):
        self.kicked.append(queue)
        if self.work_at is None:
            self.work_at = self.now + self.latency

    def service(self, now):
        """The device has its own clock; the driver's turn is not its turn."""

    def next_timeout(self):
        return None

    def has_work(self):
        return False

    def device_turn(self, now):
        self.now = now
        if self.work_at is not None and self.work_at <= now:
            self.work_at = None
            kicked, self.kicked = self.kicked, []
            for queue in kicked:
                super().notify(queue)
        super().service(now)
        causes = super().take_interrupts()
        if not causes:
            return
        self.signals += 1
        if self.mode == "lost" or (self.mode == "merged" and self.signals % 3):
            return
        self._signalled |= causes
        self.interrupt_at = now + (0.03 if self.mode == "delayed" else 0.0)

    def take_interrupts(self):
        if self.interrupt_at is None or self.interrupt_at > self.now:
            return 0
        self.interrupt_at = None
        causes, self._signalled = self._signalled, 0
        return causes

    def wakes_at(self):
        if self.mode == "spurious":
            return self.now + 0.0005
        return self.interrupt_at


def run_until(net, device, done, on_frame=lambda frame: None, arrivals=(), limit=10.0):
    """Drive until `done()`; returns (when, longest wait).  `arrivals`: (time, callable) of the far end."""
    now = longest = 0.0
    arrivals = sorted(arrivals, key=lambda entry: entry[0])
    while now < limit:
        device.device_turn(now)
        net.service(now)
        for view, _flags, _size, token in net.receive_frames():
            on_frame(bytes(view))
            net.release(token)
        net.flush()
        if done():
            return now, longest
        if net.arm():
            continue
        slept_from = now
        while True:  # asleep: only the device and the far end move
            deadline, wake = net.next_timeout(), device.wakes_at()
            events = [t for t in (deadline, wake, device.work_at) if t is not None]
            events += [arrivals[0][0]] if arrivals else []
            now = max(now, min(events))
            while arrivals and arrivals[0][0] <= now:
                arrivals.pop(0)[1]()
            device.device_turn(now)
            wake = device.wakes_at()
            if now >= deadline or (wake is not None and wake <= now) or device.mode == "spurious":
                break
        longest = max(longest, now - slept_from)
    raise AssertionError(f"not done after {limit} s")
