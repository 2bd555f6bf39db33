"""Numbers as rows for people: sorted, labelled and formatted."""
