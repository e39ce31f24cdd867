"""What the project costs and what it gains, measured side by side in one run."""

from pathlib import Path

CATALOGUE = Path(__file__).parent.parent / "operators.toml"
