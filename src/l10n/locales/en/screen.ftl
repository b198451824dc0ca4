# Texts about the full screen: its lines, questions and help.

setting-not-kept = This lasts until you leave only: { $reason }
