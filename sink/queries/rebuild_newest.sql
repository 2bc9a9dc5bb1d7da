delete from {shadow} as older
using {shadow} as newer
where {same} and (newer._event_at, newer.ctid) > (older._event_at, older.ctid)
