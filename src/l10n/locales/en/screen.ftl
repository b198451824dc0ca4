# Texts about the full screen: its lines, questions and help.
