# Texte: die Programme: Start, Verbindung, Ende und was nicht geht.
