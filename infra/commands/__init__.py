"""Commands that are too long for the menu: each module has one Invoke task and how it shows."""
