"""Names of test cases."""

import re


def without_addresses(value):
    """What a value prints, but for where it lies, which differs from process to process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
