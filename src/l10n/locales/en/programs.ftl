# Texts about the programs: start, connection, end, and what does not work.
