"""What people keep where: on which furniture, on walls and on the floor of which rooms."""

from __future__ import annotations

SMALL = ("cables", "candle", "vase", "photo", "jars", "cup", "bottle", "book_pile")
COOKING = ("kettle", "pot", "jars", "jars", "dish_rack", "knife_block", "bottle", "appliance", "appliance", "cup",
           "pot", "carton", "soap", "sheets", "vase", "basket", "folded_towels", "plant")  # fmt: skip
ON_TOP: dict[str, tuple[str, ...]] = {
    # what may stand on which kind of furniture; anything else gets the last entry
    "desk": ("monitor", "monitor", "laptop", "sheets", "sheets", "book_pile", "table_lamp", "cup", "cables", "cables",
             "computer", "speaker", "jars", "carton", "bottle", "photo", "books_upright"),
    "bed": ("laundry", "bag", "cushion", "book_pile", "folded_towels", "sheets", "stuffed_animal", "carton"),
    "sofa": ("laundry", "bag", "book_pile", "sheets", "stuffed_animal", "cushion", "cables"),
    "night_stand": ("table_lamp", "table_lamp", "book_pile", "cables", "bottle", "photo", "candle", "cup"),
    "dresser": (*SMALL, "table_lamp", "television", "television", "jars", "bag", "laundry", "books_upright",
                "stuffed_animal",
                "basket", "speaker"),
    "cupboard": (*SMALL, "television", "television", "television", "table_lamp", "speaker", "speaker",
                 "basket", "plant", "carton"),
    "side_table": ("table_lamp", "table_lamp", "plant", "book_pile", "cables", "photo", "vase"),
    "console_table": ("table_lamp", "plant", "vase", "photo", "photo", "basket", "book_pile", "candle", "carton"),
    "dining_table": ("cup", "cup", "bottle", "vase", "sheets", "plant", "book_pile", "laptop", "pot", "basket",
                     "candle", "bag", "jars"),
    "coffee_table": ("book_pile", "cup", "sheets", "plant", "cables", "cables", "candle", "vase", "bottle", "basket"),
    "counter": COOKING,
    "rack": ("carton", "carton", "folded_towels", "jars", "jars", "basket", "book_pile", "appliance", "bag", "laundry",
             "speaker", "toys", "computer", "books_upright"),
    "stand": ("carton", "jars", "appliance", "plant", "basket", "computer", "speaker"),
    "bookshelf": ("books_upright", "books_upright", "carton", "vase", "photo", "jars", "book_pile", "stuffed_animal"),
    "vanity": ("soap", "soap", "cup", "folded_towels", "jars", "candle"),
    "": SMALL,
}  # fmt: skip
SAME_TOP = {  # the same things as on another kind
    "sink_counter": "counter",
    "island": "counter",
    "stove": "counter",
    "washing_machine": "counter",
    "refrigerator": "counter",
    "shop_shelf": "bookshelf",
    "wall_shelf": "bookshelf",
    "school_desk": "desk",
}
CROWD = {"bed": 0.25, "sofa": 0.35, "armchair": 0.25, "shop_shelf": 1.5, "bookshelf": 1.3, "rack": 1.5, "counter": 1.2}
ON_WALLS = (  # what hangs in any room: kind, height of its lower edge in metres, chance
    ("clock", 1.8, 0.25),
    ("notices", 1.2, 0.15),
    ("wall_shelf", 1.3, 0.15),
    ("vent", 2.1, 0.15),
    ("vent", 0.15, 0.1),
    ("mirror", 1.0, 0.15),
    ("switch", 1.15, 0.8),
    ("switch", 0.3, 0.6),
    ("switch", 0.3, 0.4),
    ("hanging", 1.4, 0.35),
    ("wall_lamp", 1.5, 0.15),
    ("air_conditioner", 2.1, 0.06),
    ("pipe", 2.1, 0.1),
)
STRUCTURES = {"column": 0.35, "radiator": 0.3, "half_wall": 0.2, "banister": 0.1}  # expected number in any room
ON_FLOOR: dict[str, tuple[str, ...]] = {
    "bedroom": ("laundry", "laundry", "bag", "carton", "waste_bin", "basket", "floor_lamp", "cushion", "shoes", "toys",
                "stuffed_animal", "fan", "guitar", "large_plant", "bean_bag", "computer", "cables"),
    "kitchen": ("waste_bin", "waste_bin", "carton", "bag", "floor_mat", "basket", "large_plant", "stand", "fan"),
    "living_room": ("large_plant", "large_plant", "bag", "carton", "floor_lamp", "cushion", "book_pile", "toys", "toys",
                    "basket", "speaker", "fan", "guitar", "standing_person", "bean_bag", "cables", "shoes", "stand"),
    "dining_room": ("large_plant", "carton", "bag", "standing_person", "floor_lamp", "basket", "stand"),
    "office": ("waste_bin", "waste_bin", "carton", "carton", "bag", "office_chair", "standing_person", "computer",
               "computer", "cables", "fan", "large_plant", "stand"),
    "classroom": ("bag", "bag", "standing_person", "waste_bin", "computer", "carton"),
    "bathroom": ("waste_bin", "laundry", "bag", "basket", "shoes"),
    "bookstore": ("standing_person", "standing_person", "carton", "bag", "large_plant", "basket", "stand"),
    "playroom": ("toys", "toys", "toys", "stuffed_animal", "carton", "bean_bag", "basket", "cushion", "book_pile",
                 "large_plant"),
}  # fmt: skip
