//! Links that carry one direction only.

use super::lab::{Family, Lab};
use super::peer_process::PeerProcess;

/// Code of the notice that nobody seems to hear this peer (docs/json.md).
const UNHEARD: u16 = 7;

/// Bob does not hear anna, who hears him. He reads her messages, which carol passes on, so his
/// roster lists anna as known through carol, and anna's says that bob does not hear her. Dave hears
/// everybody and is heard by nobody: only he is told so.
#[test]
fn one_way_links_are_shown_in_rosters_and_by_a_hint() {
    let Some(lab) = Lab::new() else { return };
    let machines = lab.machines(4, Family::Both);
    machines[1].drop_from(&machines[0]);
    for machine in &machines[..3] {
        machine.drop_from(&machines[3]);
    }
    let mut dave = PeerProcess::start(&machines[3], "dave", &[]);
    let [mut anna, mut carol, mut bob] = [(0, "anna"), (2, "carol"), (1, "bob")]
        .map(|(number, name)| PeerProcess::join(&machines[number], name));
    anna.say("from anna");
    bob.say("from bob");
    for peer in [&mut anna, &mut bob, &mut carol] {
        peer.wait_for_messages(&["from anna", "from bob"]);
        peer.wait_for_members(&["anna", "bob", "carol"]);
    }
    bob.wait_for_note("anna", "indirect", Some("carol"));
    anna.wait_for_note("bob", "deaf", None);
    dave.wait_for("a hint", |it| it["type"] == "notice" && it["code"] == UNHEARD);
    for peer in [&mut anna, &mut bob, &mut carol] {
        peer.read_pending();
        assert!(!peer.has_notice(UNHEARD));
    }
}
