//! First questions in the window of the full screen: which server, and which name.

use std::sync::mpsc::{Receiver, Sender};
use std::thread;

use anyhow::Context;
use tokio::sync::oneshot;

use super::exit::{Failure, os_failure};
use super::frontend::build_runtime;
use super::signals::termination_signal;
use crate::model::Username;
use crate::text;
use crate::ui::full_screen::start::{
    self, Answers, Entered, NameDefault, Outcome, Questions, StartInput,
};
use crate::ui::full_screen::{SettingsFile, color_scheme};
use crate::ui::impossible_name_text;

/// Asks the questions on the full screen. `inputs` and `queue`: both ends of the queue for what
/// happens meanwhile. Returns the answers, and a guard to keep until the chat has ended; `None` if
/// the user leaves, or a termination signal has come.
///
/// # Errors
/// The terminal cannot be used.
pub(super) fn ask(
    questions: Questions,
    inputs: Sender<StartInput>,
    queue: &Receiver<StartInput>,
    settings: &SettingsFile,
) -> Result<Option<(Answers, Entered)>, Failure> {
    // Dropped at the end, which ends the thread.
    let (_asking, asked) = oneshot::channel::<()>();
    let runtime = build_runtime().map_err(os_failure)?;
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                () = termination_signal() => {
                    // An error means that the questions have ended just now.
                    let _ = inputs.send(StartInput::End);
                }
                _ = asked => {}
            }
        });
    });
    let ended = start::ask(questions, color_scheme(&settings.load()), queue)
        .with_context(|| text!("terminal-unusable"))
        .map_err(os_failure)?;
    Ok(match ended {
        (Outcome::Answered(answers), entered) => Some((answers, entered)),
        (Outcome::Left, _) => None,
    })
}

/// Returns what to suggest as a name: the default one, or one like `wrong`, which cannot be a name.
pub(super) fn name_default(default: &str, wrong: Option<&str>) -> NameDefault {
    let name = Username::from_text(wrong.unwrap_or(default));
    let error = wrong.and_then(|it| Username::new(it).err().map(|error| (it, error)));
    let problem = error.map(|(it, error)| format!("{it}: {}", impossible_name_text(error)));
    NameDefault { name, problem }
}
