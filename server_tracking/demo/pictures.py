"""Drawings of the plants, as SVG: not every machine has a font with pictures."""

from __future__ import annotations

__all__ = ["PICTURES"]


def _potted(plant: str) -> str:
    return (
        '<svg viewBox="0 0 120 120" role="img" aria-hidden="true">'
        f'<g fill="#3f8f5f" stroke="#3f8f5f" stroke-width="0" stroke-linecap="round">'
        f'{plant}</g><path d="M36 82h48l-7 34H43z" fill="#c4703f"/>'
        '<path d="M32 78h56v10H32z" fill="#d98453"/></svg>'
    )


def _stems(*ends: str) -> str:
    stems = "".join(f"M60 80Q{end}" for end in ends)
    return f'<path d="{stems}" fill="none" stroke-width="6"/>'


PICTURES = {
    "fern": _potted(
        _stems(
            "36 28 10 48", "44 16 26 20", "58 30 54 8", "76 16 92 18", "84 28 110 48"
        )
        + '<g stroke="#62b07f">'
        + _stems("30 50 16 72", "66 24 72 12", "90 50 104 72")
        + "</g>"
    ),
    "fig": _potted(
        '<path d="M60 80V46" stroke="#8a6a4a" stroke-width="7"/>'
        '<circle cx="42" cy="40" r="20"/><circle cx="78" cy="40" r="20"/>'
        '<circle cx="60" cy="26" r="22" fill="#62b07f"/>'
    ),
    "cactus": _potted(
        '<path d="M60 78V26M60 60H40V44M60 52H80V36" fill="none" stroke-width="17" '
        'stroke-linejoin="round"/><circle cx="60" cy="18" r="6" fill="#e58aa6"/>'
        '<path d="M60 66V34" stroke="#62b07f" stroke-width="3" stroke-dasharray="1 8"/>'
    ),
    "monstera": _potted(
        _stems("50 60 36 48", "66 56 84 40", "58 50 58 30")
        + '<ellipse cx="32" cy="42" rx="26" ry="17" transform="rotate(24 32 42)"/>'
        '<ellipse cx="88" cy="36" rx="26" ry="17" transform="rotate(-28 88 36)"/>'
        '<ellipse cx="58" cy="24" rx="17" ry="22" fill="#62b07f"/>'
        '<path d="M32 42L14 33M32 42L20 52M88 36L104 24M88 36L104 40M58 26V6M58 30'
        'L48 18M58 30L68 18" stroke="#f7f5ee" stroke-width="3"/>'
    ),
}
"""By the plant's slug."""
