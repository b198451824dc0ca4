# Texts about what is typed: commands, their help and their errors.
