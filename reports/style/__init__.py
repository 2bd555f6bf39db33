"""How things look: colours, formats of numbers, pieces of HTML."""
