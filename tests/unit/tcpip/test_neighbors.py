from tcpip.counters import Counters, DropReason
from tcpip.net.neighbors import MAX_NEIGHBORS, MAX_PENDING, NeighborCache, NeighborState, Pending
from tcpip.wire.address import IpAddress

A = IpAddress.parse("10.0.2.2")
MAC, OTHER = b"\x52\x54\0\0\0\1", b"\x52\x54\0\0\0\2"


def discovered(now: float = 0.0) -> NeighborCache:
    cache = NeighborCache(Counters())
    cache.use(A, now)
    cache.next_solicitation()
    cache.heard_answer(A, MAC, now)
    return cache


def state(cache: NeighborCache) -> NeighborState:
    neighbor = cache.find(A)
    assert neighbor is not None
    return neighbor.state


def test_an_answer_nobody_asked_for_creates_nothing():
    counters = Counters()
    cache = NeighborCache(counters)
    cache.heard_answer(A, MAC, 0.0)
    assert cache.find(A) is None
    assert counters.dropped(DropReason.NEIGHBOR_UNSOLICITED) == 1


def test_a_group_address_is_no_answer():
    cache = NeighborCache(Counters())
    cache.use(A, 0.0)
    cache.heard_answer(A, b"\xff" * 6, 0.0)
    cache.heard_answer(A, b"\x01\0\x5e\0\0\1", 0.0)
    assert state(cache) is NeighborState.DISCOVERING


def test_a_discovered_neighbour_is_probed_when_another_mac_claims_its_address():
    cache = discovered()
    cache.heard_answer(A, OTHER, 1.0)
    assert state(cache) is NeighborState.PROBING
    assert cache.next_solicitation() == (A, MAC)
    cache.heard_answer(A, MAC, 1.1)
    assert state(cache) is NeighborState.DISCOVERED
    assert cache.find(A).mac == MAC


def test_a_silent_neighbour_that_was_displaced_is_discovered_anew():
    cache = discovered()
    cache.heard_answer(A, OTHER, 1.0)
    for _ in range(3):
        cache.handle_timeout(cache.next_timeout())
    assert state(cache) is NeighborState.DISCOVERING
    cache.heard_answer(A, OTHER, 5.0)
    assert cache.find(A).mac == OTHER


def test_a_neighbour_grows_stale_and_is_probed_only_when_used():
    cache = discovered()
    cache.handle_timeout(30.0)
    assert (state(cache), cache.next_timeout()) == (NeighborState.STALE, None)
    assert cache.use(A, 100.0).mac == MAC
    assert (state(cache), cache.next_timeout()) == (NeighborState.DELAYED, 105.0)
    cache.handle_timeout(105.0)
    assert (state(cache), cache.next_solicitation()) == (NeighborState.PROBING, (A, MAC))


def test_progress_above_saves_the_probe():
    cache = discovered()
    cache.handle_timeout(30.0)
    cache.confirm(cache.use(A, 100.0), 101.0)
    assert (state(cache), cache.next_timeout()) == (NeighborState.DISCOVERED, 131.0)


def test_an_advertisement_not_asked_for_resolves_but_does_not_confirm():
    cache = NeighborCache(Counters())
    cache.use(A, 0.0)
    cache.heard_answer(A, MAC, 0.5, is_solicited=False)
    assert (state(cache), cache.find(A).mac) == (NeighborState.STALE, MAC)


def test_packets_that_wait_are_bounded_and_the_oldest_goes_first():
    counters = Counters()
    cache = NeighborCache(counters)
    neighbor = cache.use(A, 0.0)
    for i in range(MAX_PENDING + 2):
        cache.enqueue(neighbor, Pending(0x0800, (bytes([i]),), None))
    cache.heard_answer(A, MAC, 0.1)
    out = []
    while (resolved := cache.next_resolved()) is not None:
        out.append(resolved[1].pieces[0][0])
    assert out == list(range(2, MAX_PENDING + 2))
    assert counters.dropped(DropReason.NEIGHBOR_QUEUE_FULL) == 2


def test_a_scan_of_the_link_does_not_grow_the_table_without_bound():
    cache = NeighborCache(Counters())
    for i in range(MAX_NEIGHBORS + 100):
        cache.heard_request(IpAddress(i.to_bytes(4, "big")), MAC, 0.0)
    assert len(list(cache)) == MAX_NEIGHBORS
    assert cache.use(A, 0.0) is not None, "a stale one makes room"


def test_discovering_ends_after_three_tries_and_tells_those_who_wait():
    cache = NeighborCache(Counters())
    neighbor = cache.use(A, 0.0)
    told = []
    neighbor.waiters.append(told.append)
    cache.enqueue(neighbor, Pending(0x0800, (b"x",), lambda: told.append("packet")))
    times = []
    while (due := cache.next_timeout()) is not None:
        times.append(due)
        cache.handle_timeout(due)
    assert times == [1.0, 2.0, 3.0]
    assert told == ["packet", False]
    assert cache.next_failure() == A
    assert cache.find(A) is None
