//! Vectors of WebSocket frames, as a server reads them.

use pi_chat::wire::websocket::{WebSocketEnd, WebSocketReader};
use serde_json::{Value, json};

use super::{unhex, vectors};

/// Each vector gives its frames, its pong and its end, in one piece and byte by byte.
#[test]
fn websocket_frames_are_read_as_the_vectors_say() {
    for vector in vectors("websocket.json") {
        let wire = unhex(&vector["wire"]);
        for size in [wire.len(), 1] {
            let mut reader = WebSocketReader::default();
            let (mut frames, mut pong, mut end) = (Vec::<u8>::new(), None, None);
            for piece in wire.chunks(size) {
                let mut bytes = piece.to_vec();
                let out = reader.unwrap(&mut bytes);
                frames.extend(&bytes[..out.payload]);
                pong = out.ping.or(pong);
                end = out.end;
                if end.is_some() {
                    break;
                }
            }
            let name = &vector["name"];
            assert_eq!(frames, unhex(&vector["frames"]), "{name}");
            assert_eq!(pong, vector.get("pong").map(unhex), "{name}");
            let (closed, close) = match end {
                None => (None, None),
                Some(WebSocketEnd::Closed(code)) => (Some(json!(code)), None),
                Some(WebSocketEnd::Violated(code)) => (None, Some(json!(code))),
            };
            let expected: (Option<&Value>, Option<&Value>) =
                (vector.get("closed"), vector.get("close"));
            assert_eq!((closed.as_ref(), close.as_ref()), expected, "{name}");
        }
    }
}
