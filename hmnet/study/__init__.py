"""What a user asks for, in the field's words (no torch).

Tasks, metrics, training settings, hierarchies of groups, and the file that holds them.
"""
