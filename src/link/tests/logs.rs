//! A server whose log is another one than before.

use super::*;

/// Another log: said so, everything shown anew, nothing kept.
#[test]
fn another_log() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    world.say();
    world.settle();
    world.breaks();
    world.server = Server::new_with_log(9);
    world.server.other_says("lobby");
    world.settle();
    let is_told = |it: &Event| matches!(it, Event::Welcome(it) if it.log_changed);
    assert_eq!(world.count(is_told), 1);
    assert_eq!(world.shown("lobby").len(), 2);
}

/// Whoever has the former number in another log does not acknowledge what was
/// said by it in the one before.
#[test]
fn a_number_means_nothing_in_another_log() {
    let mut world = World::new(settings(), Server::new());
    world.settle();
    let session = world.saved.clone().unwrap().session;
    world.say();
    world.breaks();
    world.server = Server::new_with_log(9);
    world.server.stranger_says("lobby", session, 1);
    world.settle();
    assert_eq!(world.acknowledged(), [1]);
    let texts: Vec<_> = world.server.texts("lobby").into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["a stranger's", "mine 1"]);
}
