# Texte: was im Chat geschieht: Nachrichten, Räume, Leute, Moderation.
