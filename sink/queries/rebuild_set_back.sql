update {target} as mine
set _event_at = staged._event_at
from {difference} as found
join {shadow} as staged on {staged_same}
where found.number > $1 and found.number <= $2
    and found.finding = 'ahead'
    and {same}
    and mine._event_at is not distinct from found.row_at
