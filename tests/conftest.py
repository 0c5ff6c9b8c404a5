"""What all tests share."""

import os

# examples call plt.show(), which waits for a person where there is a screen
os.environ.setdefault("MPLBACKEND", "Agg")
