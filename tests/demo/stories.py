"""Small stories cut out of a large one."""

from collections.abc import Iterable
from dataclasses import replace

from paymentops.demo.scenarios import Act
from paymentops.demo.traffic import Story


def pick(story: Story, scenarios: Iterable[str]) -> Story:
    """Keep the first order of each of these kinds, and all that is done with it."""
    orders = {scenario: next(each for each in story.orders if each.scenario == scenario) for scenario in scenarios}
    numbers = {order.number for order in orders.values()}
    return replace(
        story,
        orders=tuple(order for order in story.orders if order.number in numbers),
        steps=tuple(step for step in story.steps if step.number in numbers),
    )


def misdirect(story: Story, act: Act, *, onto: str) -> Story:
    """Let an act be done last, and with the order of another kind."""
    number = next(order.number for order in story.orders if order.scenario == onto)
    kept = [step for step in story.steps if step.act is not act]
    moved = [replace(step, number=number, at=story.silent_from) for step in story.steps if step.act is act]
    return replace(story, steps=(*kept, *moved))
