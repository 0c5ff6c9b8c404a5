"""The stack: M networks on one flat buffer."""
