"""What sharing does to attention: maps of a task's single and joint models compared."""
