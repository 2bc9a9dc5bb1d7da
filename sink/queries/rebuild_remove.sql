delete from {target} as mine
using {difference} as found
where found.number > $1 and found.number <= $2
    and found.finding = 'extra'
    and {same}
    and mine._event_at is not distinct from found.row_at
