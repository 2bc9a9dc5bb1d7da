select {counts}
from {difference} as found
join {shadow} as staged on {staged_same}
join {target} as mine on {mine_same}
