"""The output folder: where everything lies, whether it is whole, and how far a study is."""
