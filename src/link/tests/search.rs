//! Searches.

use super::*;
use crate::model::{ErrorCode, Found, Search, Sequence};

/// A world with somebody in `lobby`, who has seen 5 to 14 of what was said
/// there, and whose server searches.
fn world() -> World {
    let mut server = Server::new();
    server.features = feature::SEARCH;
    for _ in 0..14 {
        server.other_says("lobby");
    }
    let mut world = World::new(settings(), server);
    world.settle();
    world
}

/// Asks for messages with this in them, two at a time.
fn asks(world: &mut World, text: &str, before: Option<u64>) {
    let before = before.map(Sequence);
    let search = Search { text: text.to_owned(), before, limit: 2, ..Search::default() };
    world.input(Input::Request(Request {
        tag: Tag(Some(text.into())),
        command: Command::Do(Task::Search(search)),
    }));
}

/// What was found, answer by answer.
fn found(world: &World) -> Vec<&Found> {
    let mut all = Vec::new();
    for event in &world.events {
        if let Event::Found(found) = event {
            all.push(found);
        }
    }
    all
}

/// Sequences of what was found.
fn sequences(found: &Found) -> Vec<u64> {
    found.messages.iter().map(|it| it.sequence.0).collect()
}

/// Asks for two messages older than those shown.
fn asks_for_history(world: &mut World) {
    let place = Place::First;
    world.request(Command::Do(Task::History { place, before: None, limit: 2 }));
}

/// Sequences of the older messages that were shown.
fn requested(world: &World) -> Vec<u64> {
    let requested = |event: &Event| match event {
        Event::Message(it) if it.requested => Some(it.sequence.0),
        _ => None,
    };
    world.events.iter().filter_map(requested).collect()
}

/// Why requests were refused: codes and sentences.
fn refused(world: &World) -> Vec<(u16, &str)> {
    let mut all = Vec::new();
    for event in &world.events {
        if let Event::Refused(it) = event {
            all.push((it.code, it.text.as_str()));
        }
    }
    all
}

/// The answer comes as one thing; from it one gets to the page before it.
#[test]
fn pages() {
    let mut world = world();
    asks(&mut world, "other", None);
    world.settle();
    let first = found(&world)[0].clone();
    assert_eq!(
        (sequences(&first), first.more, first.tag.0.as_deref()),
        (vec![13, 14], true, Some("other"))
    );
    let older = first.older().unwrap();
    assert_eq!((older.before, older.text.as_str()), (Some(Sequence(13)), "other"));
    asks(&mut world, "other", Some(2));
    world.settle();
    let last = found(&world)[1];
    assert_eq!((sequences(last), last.more, last.older()), (vec![1], false, None));
    // Nothing of it was shown as if it had just been said.
    assert!(requested(&world).is_empty());
    asks(&mut world, "nothing", None);
    world.settle();
    assert!(found(&world)[2].messages.is_empty());
}

/// Answers that were asked for together are told apart, and what was found
/// does not change what `history` goes on from.
#[test]
fn beside_history() {
    let mut world = world();
    asks_for_history(&mut world);
    asks(&mut world, "other 0", None);
    world.settle();
    assert_eq!((requested(&world), sequences(found(&world)[0])), (vec![3, 4], vec![1]));
    asks(&mut world, "other 0", None);
    asks_for_history(&mut world);
    world.settle();
    assert_eq!((requested(&world), sequences(found(&world)[1])), (vec![3, 4, 1, 2], vec![1]));
}

/// A connection that breaks in the middle of the answer: it comes again, and
/// nothing in it comes twice.
#[test]
fn a_loss_in_the_middle() {
    let mut world = world();
    asks(&mut world, "other", None);
    while world.server_reads() {}
    assert!(world.client_reads() && found(&world).is_empty());
    world.breaks();
    world.settle();
    assert_eq!(found(&world).len(), 1);
    assert_eq!(sequences(found(&world)[0]), [13, 14]);
}

/// A server that never said that it searches is not asked; nor is any with
/// what it would not take.
#[test]
fn what_is_not_asked() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    asks(&mut world, "tea", None);
    assert_eq!(refused(&world), [(0, "This server cannot search.")]);
    assert!(world.up.is_empty());
    // The next server may be a newer one.
    world.server.features = feature::SEARCH;
    world.breaks();
    asks(&mut world, "tea", None);
    world.settle();
    assert_eq!(found(&world).len(), 1);
    asks(&mut world, &"x".repeat(257), None);
    let search = Search { room: Some("x".repeat(257)), ..Search::default() };
    world.request(Command::Do(Task::Search(search)));
    assert_eq!(refused(&world).len(), 3);
    assert!(world.up.is_empty());
}

/// What the server refuses is refused as what it is, and others go on.
#[test]
fn refusals() {
    for code in [ErrorCode::NotInRoom, ErrorCode::SearchInvalid, ErrorCode::Unavailable] {
        let mut world = world();
        world.server.refuses_searches = Some(code);
        asks(&mut world, "tea", None);
        world.settle();
        assert_eq!(refused(&world), [(code.number(), code.sentence())]);
        world.server.refuses_searches = None;
        asks(&mut world, "tea", None);
        world.settle();
        assert_eq!(found(&world).len(), 1);
    }
}

/// A server that sends more than was asked for fills no memory with it.
#[test]
fn an_endless_answer() {
    let mut world = world();
    world.server.forgets_limits = true;
    asks(&mut world, "other", None);
    world.settle();
    assert_eq!(found(&world)[0].messages.len(), 2);
}
