# Texts about what happens in the chat: messages, rooms, people, moderation.
