"""Prolonging claims and giving them back, in memory: only of who still holds them."""

from collections.abc import Sequence

from msgspec.structs import replace

from events.core.legs import LegKind, given_back_at_ms
from events.engine.tree import Tree
from events.ports import Claim


def prolonged(tree: Tree, claims: Sequence[Claim], until_ms: int) -> tuple[Tree, list[str]]:
    """With these leases lasting until then, and the keys of the legs that their owners do not hold."""
    legs, lost = dict(tree.legs), list[str]()
    for claim in claims:
        leg = legs.get(claim.leg_key)
        if leg is None or leg.owner != claim.owner:
            lost.append(claim.leg_key)
        elif leg.lease_until_ms < until_ms:
            legs[leg.key] = replace(leg, lease_until_ms=until_ms)
    return (replace(tree, legs=legs) if legs != tree.legs else tree), lost


def given_back(tree: Tree, claim: Claim, now_ms: int, *, begun: bool) -> Tree:
    """With the leg free for anybody."""
    leg = tree.legs.get(claim.leg_key)
    if leg is None or leg.owner != claim.owner:
        return tree
    lost = leg.lost + (1 if begun and leg.kind is LegKind.LOOP else 0)
    free = replace(leg, owner="", lease_until_ms=given_back_at_ms(now_ms), lost=lost)
    return replace(tree, legs={**tree.legs, leg.key: free})
