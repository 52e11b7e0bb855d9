include $(sort $(wildcard $(BR2_EXTERNAL_HUB_PATH)/package/*/*.mk))
