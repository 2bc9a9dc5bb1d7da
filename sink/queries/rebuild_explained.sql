delete from {difference} as found
using {shadow} as staged
where {same}
    and found.finding in ('extra', 'ahead')
    and (found.row_at is null or staged._event_at >= found.row_at)
