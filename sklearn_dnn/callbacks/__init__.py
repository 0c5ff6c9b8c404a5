"""Those who watch a fit. Removing them changes no prediction, unless one asked to stop."""
