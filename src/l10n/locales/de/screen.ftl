# Texte: der ganze Bildschirm: seine Zeilen, Fragen und Hilfe.

setting-not-kept = Das gilt nur, bis du gehst: { $reason }
