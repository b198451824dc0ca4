# Texte: was getippt wird: Befehle, ihre Hilfe und ihre Fehler.
