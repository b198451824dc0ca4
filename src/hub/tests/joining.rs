//! Greeting, joining, coming back.

use super::table::*;

/// A first join, as the page tells it, and a second one.
#[test]
fn joining() {
    let mut table = Table::new();
    let anna = table.connect();
    table.send(anna, hello(3));
    table.send(anna, join("anna", &[]));
    assert_eq!(
        table.words(anna),
        [
            "server_hello 1 1",
            "welcome anna 0 last 0",
            "entered lobby 0 of 1",
            "end 2 0 0",
            "roster lobby 0 1 [\"anna\"]",
        ]
    );
    assert_eq!(table.people, 1);
    table.send(anna, say(1, "hi"));
    assert_eq!(table.words(anna), ["1:lobby anna: hi (0)"]);
}
