"""A fit: begun or gone on with, trained alone or in a stack, judged and ended."""
