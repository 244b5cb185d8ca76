use serde_json::json;

use super::*;
use crate::clients::wechat::Verdict;

const NOW: UnixMillis = UnixMillis(1_760_000_000_000);
