"""What is told of WanGP's licence, everywhere in these words.

loop26 has none of its files: an operator points it at a checkout of their own.
"""

from typing import Final

DISCLOSURE: Final = "Uses WanGP (deepbeepmeep/Wan2GP) when you point it at your checkout"
NOTICE: Final = (
    "WanGP has a licence of its own, the WanGP Community License 2.0: "
    "offering generation for money needs a commercial licence from its author"
)
