"""What takes many steps to prepare: it is prepared once, and begun from as often as a test wants."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Protocol, TypeVar

from chalicelib.services import Services
from tests.support.aws import undone
from tests.support.phone import Clock, Phone


class World(Protocol):
    """Somebody at the public endpoints, with all that they hold."""

    phone: Phone
    svc: Services
    clock: Clock


Prepared = TypeVar("Prepared", bound=World)


@contextmanager
def from_here(world: Prepared) -> Iterator[Prepared]:
    """A copy of a world for a `with` block, at the end of which its tables and its clock are as they were."""
    now, shared = world.clock.seconds, (world.phone, world.svc, world.clock)
    with undone(world.svc.settings):
        yield deepcopy(world, {id(each): each for each in shared})
    world.clock.seconds = now
