"""What the user gave, checked: tables, categories, text, labels, weights."""
