# Texte: der ganze Bildschirm: seine Zeilen, Fragen und Hilfe.
